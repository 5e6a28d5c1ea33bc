// Puts the pack's example portraits into ComfyUI's input folder when a workflow that names them is opened and they are
// not there yet, so that a template gives a picture before anyone has chosen photographs of their own.
import { api } from "../../scripts/api.js"
import { app } from "../../scripts/app.js"

const EXAMPLE = /^face_part_fusion_\w+\.jpg$/

function examplesIn(workflow) {
    const graphs = [workflow, ...(workflow.definitions?.subgraphs ?? [])]
    const loaders = graphs.flatMap(graph => graph.nodes ?? []).filter(node => node.type === "LoadImage")
    const named = loaders.map(node => String(node.widgets_values?.[0] ?? ""))
    return [...new Set(named)].filter(name => EXAMPLE.test(name))
}

async function offered() {
    const {LoadImage} = await (await api.fetchApi("/object_info/LoadImage")).json()
    const [kind, more] = LoadImage.input.required.image
    return new Set(Array.isArray(kind) ? kind : more.options)
}

async function bring(name) {
    const file = await fetch(new URL(`./examples/${name}`, import.meta.url))
    if (!file.ok) throw new Error(`${file.status} for ${file.url}`)
    const form = new FormData()
    form.append("image", new File([await file.blob()], name, {type: "image/jpeg"}))
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
            const there = await offered()
            const missing = named.filter(name => !there.has(name))
            if (!missing.length) return
            await Promise.all(missing.map(bring))
            // Load Image still offers what was there when the page was loaded.
            await app.refreshComboInNodes()
        } catch (error) {
            console.warn("Face Part Fusion: the example portraits could not be put into the input folder.", error)
        }
    },
})
