"""The resources: their fields, names, conditions and reasons. The one truth the CRDs are generated from."""
