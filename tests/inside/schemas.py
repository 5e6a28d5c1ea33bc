"""Every node's schema as the host tells it to its front end: {id: object_info}."""

from __future__ import annotations

from host import finish, start

nodes = start()


def info(node: type) -> dict:
    """As the host's /object_info has it, with the order of inputs kept."""
    told = node.GET_NODE_INFO_V1()
    kinds = ("display_name", "description", "category", "output", "output_name", "output_tooltips", "output_node")
    return {"input": told["input"], "input_order": told["input_order"], **{kind: told[kind] for kind in kinds}}


finish({name: info(node) for name, node in nodes.items()})
