#!/usr/bin/python3
"""An RTSP server of GStreamer's, as another implementation to test against: TCP and UDP, Basic and Digest passwords.

Runs under Debian's own Python (python3-gi). Prints "ready PORT" when it serves rtsp://127.0.0.1:PORT/test.
"""

import argparse

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument("--launch", required=True, help="pipeline whose payloader is named pay0")
parser.add_argument("--user")
parser.add_argument("--password")
parser.add_argument("--transport", choices=["tcp", "udp", "both"], default="both")
parser.add_argument("--address", default="127.0.0.1")
options = parser.parse_args()

Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_address(options.address)
server.set_service("0")
factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch(f"( {options.launch} )")
factory.set_shared(True)
protocols = {
    "tcp": GstRtsp.RTSPLowerTrans.TCP,
    "udp": GstRtsp.RTSPLowerTrans.UDP,
    "both": GstRtsp.RTSPLowerTrans.TCP | GstRtsp.RTSPLowerTrans.UDP,
}
factory.set_protocols(protocols[options.transport])
if options.user:
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "user")
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
    auth.add_digest(options.user, options.password, token)
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_permission_for_role("user", "media.factory.access", True)
    permissions.add_permission_for_role("user", "media.factory.construct", True)
    factory.set_permissions(permissions)
    server.set_auth(auth)
server.get_mount_points().add_factory("/test", factory)
server.attach(None)
print(f"ready {server.get_bound_port()}", flush=True)
GLib.MainLoop().run()
