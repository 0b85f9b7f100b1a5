"""The drawn control panel: displays, lamps and pages whose values are known at each moment."""
