"""The real Argo CD as local processes: installed, started, asked. Nothing of it is imitated."""
