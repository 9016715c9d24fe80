"""The cluster made of plain processes: etcd, kube-apiserver, controllers, scheduler and kwok's nodes."""
