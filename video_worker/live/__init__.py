"""The live worker: takes live frames of capture through the steps, and reports events as they happen."""
