"""A network camera made of a video file, a drawn scene or a webcam."""
