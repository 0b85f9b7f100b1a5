"""What stands behind the notebooks: pictures, players, widgets. Cells stay short; what is long or tested lives here.

The Jupyter image holds a copy of its own, which is the one that notebooks import: the folder beside the notebooks is
mounted for editing them, and old notebooks there never meet new code by half.
"""
