"""Controllers: one file each, with one pure reconcile."""
