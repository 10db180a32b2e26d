"""What waits for what in a template, drawn and in words, for the page of a version and that of a draft."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from partwell.journeys.template.dependencies import Dependencies
from partwell.journeys.template.model import Template
from partwell.web.template_drawing import draw_template, svg_of

MOST_HOLDING = 5


def map_of(template: Template, found: Dependencies, *, address_of: Callable[[str], str]) -> dict[str, Any]:
    """The drawing, and the same in words. `address_of` says where a step leads, by its key."""
    numbers = template.numbers
    drawing = draw_template(template, found)
    titles = {step.key: f"{numbers[step.key]} {step.title or step.key}" for step in template.steps}
    return {
        "svg": svg_of(drawing, address_of),
        "width": drawing.width,
        "height": drawing.height,
        "longest": [titles[key] for key in found.longest],
        "holding": [(titles[key], len(found.links[key].after)) for key in found.holding_up[:MOST_HOLDING]],
        "rows": [
            {
                "title": titles[key],
                "needs": [titles[other] for other in links.needs],
                "opens": [titles[other] for other in links.opens],
                "behind": len(links.after),
            }
            for key, links in found.links.items()
            if links.needs or links.opens
        ],
        "rings": [[titles[key] for key in (*ring, ring[0])] for ring in found.rings],
        "alone": sum(1 for links in found.links.values() if not links.needs and not links.opens),
    }
