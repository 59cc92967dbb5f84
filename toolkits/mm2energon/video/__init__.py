"""Video: frames of a video on disk. Index (when is each frame shown), choose, decode the wanted ones, encode."""
