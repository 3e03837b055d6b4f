"""The drawing of the model: the page has the current one, and it says what the configuration says."""

from __future__ import annotations

from xml.etree import ElementTree

from engine.fusion import FusionConfig
from engine.fusion.figure import figure
from tests.docs_examples import ROOT


def test_the_page_has_the_current_drawing() -> None:
    stored = (ROOT / "docs" / "fusion.svg").read_text(encoding="utf-8")
    assert stored == figure(), "run python -m engine.fusion.figure > docs/fusion.svg"


def test_the_drawing_follows_the_configuration() -> None:
    config = FusionConfig(fused_layers=2, node_dim=64, exchange="pair", max_nodes=20, pooling="cls")
    drawn = figure(config, token_dim=768, text_layers=12)
    root = ElementTree.fromstring(drawn)  # well-formed
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert [text for text in texts if text and text.startswith("text layer")] == [
        "text layers 1 to 10, of the text alone",
        "text layer 11",
        "text layer 12",
    ]
    assert sum(text == "(batch, token, 768)" for text in texts) == 3
    assert texts.count("exchange 2: first token ⇄ interaction node") == 1
    assert "≤ 20 nodes within 2 hops, edges (2, edge)" in texts
    assert {element.tag.rpartition("}")[2] for element in root.iter()} == {
        "svg",
        "title",
        "defs",
        "marker",
        "rect",
        "path",
        "text",
    }
