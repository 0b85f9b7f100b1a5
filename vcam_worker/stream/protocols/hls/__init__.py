"""HLS: playlists, their live window, and the segments they list (RFC 8216)."""
