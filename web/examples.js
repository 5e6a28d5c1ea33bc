// Puts the pack's example portraits and video into ComfyUI's input folder when a workflow that names them is opened and they are
// not there yet, so that a template gives a picture before anyone has chosen photographs of their own. Where the host has
// no node that compares two pictures, a template opens without it.
import { api } from "../../scripts/api.js"
import { app } from "../../scripts/app.js"

const EXAMPLE = /^face_part_fusion_\w+\.(jpg|mp4)$/
// Nodes that load an example, and their input that names it.
const LOADERS = {LoadImage: "image", LoadVideo: "file"}

function examplesIn(workflow) {
    const graphs = [workflow, ...(workflow.definitions?.subgraphs ?? [])]
    const loaders = graphs.flatMap(graph => graph.nodes ?? []).filter(node => node.type in LOADERS)
    const named = loaders.map(node => String(node.widgets_values?.[0] ?? ""))
    return [...new Set(named)].filter(name => EXAMPLE.test(name))
}

function withoutCompare(workflow) {
    if (LiteGraph.registered_node_types.ImageCompare) return
    const gone = new Set(workflow.nodes.filter(node => node.type === "ImageCompare").map(node => node.id))
    const wires = new Set(workflow.links.filter(link => gone.has(link[3])).map(link => link[0]))
    workflow.nodes = workflow.nodes.filter(node => !gone.has(node.id))
    workflow.links = workflow.links.filter(link => !wires.has(link[0]))
    for (const output of workflow.nodes.flatMap(node => node.outputs ?? [])) {
        output.links = output.links?.filter(link => !wires.has(link))
    }
}

async function offered() {
    const names = Object.entries(LOADERS).map(async ([node, input]) => {
        const info = await (await api.fetchApi(`/object_info/${node}`)).json()
        const [kind, more] = info[node].input.required[input]
        return Array.isArray(kind) ? kind : more.options
    })
    return new Set((await Promise.all(names)).flat())
}

async function bring(name) {
    const file = await fetch(new URL(`./examples/${name}`, import.meta.url))
    if (!file.ok) throw new Error(`${file.status} for ${file.url}`)
    const form = new FormData()
    form.append("image", new File([await file.blob()], name, {type: name.endsWith(".mp4") ? "video/mp4" : "image/jpeg"}))
    form.append("type", "input")
    const answer = await api.fetchApi("/upload/image", {method: "POST", body: form})
    if (!answer.ok) throw new Error(`${answer.status} for the upload of ${name}`)
}

app.registerExtension({
    name: "FacePartFusion.Examples",
    async beforeConfigureGraph(workflow) {
        try {
            const named = examplesIn(workflow)
            if (!named.length) return
            withoutCompare(workflow)
            const there = await offered()
            const missing = named.filter(name => !there.has(name))
            if (!missing.length) return
            await Promise.all(missing.map(bring))
            // The loaders still offer what was there when the page was loaded.
            await app.refreshComboInNodes()
        } catch (error) {
            console.warn("Face Part Fusion: the example portraits could not be put into the input folder.", error)
        }
    },
})
