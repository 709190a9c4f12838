"""Read files of points, images and latents; includes data shipped with the package."""
