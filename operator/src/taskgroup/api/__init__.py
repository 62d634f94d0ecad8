"""The resource: its fields, names, conditions and reasons. The CRD is generated from it."""
