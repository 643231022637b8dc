"""Docker Engine: its API, containers, images and volumes."""
