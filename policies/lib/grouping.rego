# METADATA
# description: |
#   Groups by key, made in one pass. A partial rule (`groups[key] contains value`) is copied for each new key: with a
#   thousand keys that alone takes a second.
package gitops.lib.grouping

# {key: {value: true}} of a list of [key, value].
of(pairs) := object.union_n([{pair[0]: {pair[1]: true}} | some pair in pairs])
