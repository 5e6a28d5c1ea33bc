"""Which person gives which face region, and the assembled picture and mask of an edit."""
