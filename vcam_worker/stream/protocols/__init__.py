"""HTTP, RTSP and MJPEG as cameras speak them."""
