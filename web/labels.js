// Choices and sockets whose names are terms of the field, in words of the reader's language. The value or the id, which is
// saved and which messages quote, stands first.
import { app } from "../../scripts/app.js"
import { word, wordsReady } from "./words.js"

const withWords = (id, words) => words ? `${id}: ${words}` : String(id ?? "")

function nameOptions(node) {
    for (const widget of node.widgets ?? []) {
        if (widget.options && word("options", node.comfyClass, widget.name)) {
            widget.options.getOptionLabel = value => withWords(value, word("options", node.comfyClass, widget.name, value))
        }
    }
}

// A socket of a growing input is called references.reference0; a name that a person gave it stays.
function nameSockets(node) {
    let isNew = false
    for (const input of node.inputs ?? []) {
        const [, id, kind] = input.name.match(/^\w+\.(([a-z]+)\d+)$/) ?? []
        const label = kind && withWords(id, word("sockets", node.comfyClass, kind))
        if (!label || input.label === label) continue
        if (input.label && input.label !== id && !input.label.startsWith(`${id}: `)) continue
        input.label = label
        isNew = true
    }
    if (!isNew) return
    node.graph?.trigger?.("node:slot-label:changed", {nodeId: node.id, slotType: LiteGraph.INPUT})
    app.canvas?.setDirty(true, true)
}

// After the front end has added or taken away sockets, which it does in the next frame.
function later(node) {
    requestAnimationFrame(() => requestAnimationFrame(() => nameSockets(node)))
}

app.registerExtension({
    name: "FacePartFusion.Labels",
    async init() {
        await wordsReady
    },
    nodeCreated(node) {
        nameOptions(node)
        if (!node.comfyDynamic?.autogrow) return
        nameSockets(node)
        const before = node.onConnectionsChange
        node.onConnectionsChange = function (...change) {
            const answer = before?.apply(this, change)
            // At once, as Nodes 2.0 does not look again at a socket that it shows.
            nameSockets(node)
            later(node)
            return answer
        }
    },
    loadedGraphNode: later,
})
