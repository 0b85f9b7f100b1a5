"""Live video of a camera: muxed by packet copy in the camera's process, shared by its viewers in the HTTP server's."""
