"""ZonesAndReadings in a real JupyterLab and Chromium: run from top to bottom as a person does."""

from __future__ import annotations

import nbformat
from playwright.sync_api import Page, expect

from devtools.paths import ROOT
from tests.support.jupyterlab import Lab, open_notebook, run_all_cells

NAME = "ZonesAndReadings"


def test_a_person_runs_it_and_sees_its_pictures(lab: Lab, page: Page) -> None:
    notebook = nbformat.read(ROOT / "notebooks" / f"{NAME}.ipynb", as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    (lab.folder / "notebooks").mkdir(exist_ok=True)
    nbformat.write(notebook, lab.folder / "notebooks" / f"{NAME}.ipynb")
    open_notebook(page, lab.url_of(f"notebooks/{NAME}.ipynb", "zones"))
    run_all_cells(page)
    last = page.get_by_text("exports/zone-counts.csv")
    panel = page.locator(".jp-WindowedPanel-outer")
    # JupyterLab draws only the cells in view
    page.wait_for_function(
        "() => { const panel = document.querySelector('.jp-WindowedPanel-outer'); panel.scrollTop = panel.scrollHeight;"
        " return document.body.innerText.includes('exports/zone-counts.csv'); }"
    )
    expect(last).to_be_visible()
    panel.evaluate("panel => panel.scrollTop = 0")
    pictures = page.locator(".jp-RenderedImage img")
    pictures.first.wait_for()
    assert 900 < pictures.first.evaluate("image => image.naturalWidth") < 1100
    assert page.locator(".jp-OutputArea-output[data-mime-type*=error]").count() == 0
    exported = lab.folder / "video" / "exports" / "readings.csv"
    assert exported.read_text(encoding="utf-8-sig").startswith("type,camera,zone,at,until,value")
