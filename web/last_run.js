// The picture of a node that ran before the page was loaded, from the host's history, so that it need not run again.
import { api } from "../../scripts/api.js"
import { app } from "../../scripts/app.js"

// Runs of the history that are looked through.
const RUNS = 32

// A node of a prompt with all that stands before it, as text, without the inputs `apart` of the node itself.
function lineage(prompt, id, apart) {
    const seen = {}
    const walk = at => {
        if (at in seen || !prompt[at]) return
        const {class_type, inputs} = prompt[at]
        seen[at] = [class_type, Object.entries(inputs).filter(([name]) => at !== id || !apart.includes(name)).sort()]
        Object.values(inputs).filter(Array.isArray).forEach(([giver]) => walk(String(giver)))
    }
    walk(id)
    return JSON.stringify(Object.entries(seen).sort())
}

// Show again what nodes of this type showed when they ran last with the same inputs before them, whatever their own inputs
// `apart` were.
export async function showLastRun(type, apart) {
    const prompt = (await app.graphToPrompt()).output
    const empty = Object.keys(prompt).filter(id => prompt[id].class_type === type && !app.nodeOutputs[id])
    if (!empty.length) return
    const history = await (await api.fetchApi(`/history?max_items=${RUNS}`)).json()
    const runs = Object.values(history).reverse()
    for (const id of empty) {
        const own = lineage(prompt, id, apart)
        const run = runs.find(({prompt: [, , before], outputs}) =>
            outputs[id]?.images && before[id] && lineage(before, id, apart) === own)
        // As the host tells it when a run takes the node's picture from its cache.
        if (run) api.dispatchEvent(new CustomEvent("executed", {
            detail: {node: id, display_node: id, output: run.outputs[id], prompt_id: run.prompt[1]},
        }))
    }
}
