"""Measure the cost of a page of tools/browse.py: the time to build it, to load it and to apply a filter.

    OMP_NUM_THREADS=1 python benchmarks/browse.py                  # 1,000 and 10,000 images x 66 questions
    OMP_NUM_THREADS=1 python benchmarks/browse.py --images 30000

Each figure is compared with a page with a tenth of the images in the same run: a ratio of 10 is linear; a ratio of 1
means that the cost does not depend on the number of images. Thumbnails of 160 pixels are made from photographs of 640 x
480 pixels. The pages are shown in the system's Chromium, headless, at 1440 x 900; the times of loading and filtering
are medians over several alternating rounds.
"""

import argparse
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, sync_playwright
from targets import MB, write_folder

from makd.analysis.browse import build_page, make_thumbnails
from makd.analysis.review import review
from makd.datasets.targets_join import AnsweredImages
from makd.targets import AspectTargets

QUESTIONS, CLASSES, PHOTOGRAPHS = 66, 100, 50
# From the user's choice until the new layout is done.
FILTER = """() => {
  const answer = document.getElementById('answer');
  answer.value = answer.value === 'yes' ? 'no' : 'yes';
  const start = performance.now();
  answer.dispatchEvent(new Event('input'));
  document.body.getBoundingClientRect();
  return performance.now() - start;
}"""


@dataclass
class Costs:
    """The costs of one page; times in seconds."""

    page: Path
    thumbnails: float
    rest: float
    loads: list[float]
    filters: list[float]
    elements: int = 0


def write_photographs(folder: Path) -> list[str]:
    """Write photographs and return their paths."""
    noise = np.random.default_rng(0)
    paths = []
    for index in range(PHOTOGRAPHS):
        small = noise.integers(0, 256, (15, 20, 3), dtype=np.uint8)
        paths.append(f'{folder}/{index:04}.jpg')
        Image.fromarray(small).resize((640, 480), Image.Resampling.BICUBIC).save(paths[-1], quality=90)
    return paths


def build(folder: Path, photographs: list[str], count: int) -> Costs:
    """Build a page of ``count`` images."""
    write_folder(folder / f'targets_{count}', count, QUESTIONS)
    targets = AspectTargets.open(folder / f'targets_{count}')
    paths = tuple(photographs[row % PHOTOGRAPHS] for row in range(count))
    labels = np.arange(count) % CLASSES
    images = AnsweredImages(paths, labels, tuple(f'class {label}' for label in range(CLASSES)), by_folder=False)
    rows = np.arange(count)
    start = time.perf_counter()
    thumbnails = make_thumbnails(paths, 160, (255, 255, 255))
    middle = time.perf_counter()
    page = folder / f'{count}.html'
    page.write_text(build_page(targets, images, rows, review(targets, labels, rows), thumbnails), 'utf-8')
    return Costs(page, middle - start, time.perf_counter() - middle, [], [])


def use(browser: Browser, costs: Costs) -> None:
    """Load a page and apply a filter."""
    page = browser.new_page(viewport=dict(width=1440, height=900))
    start = time.perf_counter()
    page.goto(f'file://{costs.page}#question=q7')
    page.wait_for_selector('.card')
    costs.loads.append(time.perf_counter() - start)
    costs.filters.append(page.evaluate(FILTER) / 1000)
    costs.elements = page.evaluate('document.querySelectorAll("*").length')
    page.close()


def main() -> None:
    """Build both pages, use them, and print the costs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--images', type=int, default=10_000)
    parser.add_argument('--rounds', type=int, default=5)
    args = parser.parse_args()
    counts = args.images // 10, args.images
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        photographs = write_photographs(Path(name))
        few, many = (build(Path(name), photographs, count) for count in counts)
        executable = shutil.which('chromium') or shutil.which('chromium-browser') or shutil.which('google-chrome')
        browser = playwright.chromium.launch(executable_path=executable, args=['--no-sandbox'])
        for _ in range(args.rounds):
            for costs in (few, many):
                use(browser, costs)
        browser.close()
        print(f'{QUESTIONS} questions; images {counts[0]:23,} {counts[1]:14,}   ratio')
        for title, unit, values in (
            ('thumbnails', 's', (few.thumbnails, many.thumbnails)),
            ('statistics and page', 's', (few.rest, many.rest)),
            ('load until images show', 's', (median(few.loads), median(many.loads))),
            ('one filter', 's', (median(few.filters), median(many.filters))),
            ('elements in the document', '', (few.elements, many.elements)),
            ('size', 'MB', (few.page.stat().st_size / MB, many.page.stat().st_size / MB)),
        ):
            shown = [f'{value:.3g} {unit}' if unit else f'{value}' for value in values]
            print(f'{title:30} {shown[0]:>14} {shown[1]:>14} {values[1] / values[0]:7.2f}')


if __name__ == '__main__':
    main()
