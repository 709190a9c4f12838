"""Files of points, pictures and latents: readers, and the data that are shipped."""
