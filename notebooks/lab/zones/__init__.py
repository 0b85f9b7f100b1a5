"""The library of ZonesAndReadings: readings over time, counts, dwell, places, odd readings, tables."""
