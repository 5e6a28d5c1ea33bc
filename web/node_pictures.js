// The picture of a node that lies under the pointer: in the classic renderer it is drawn on the canvas, in Nodes 2.0 it is
// an element.
import { app } from "../../scripts/app.js"

// The largest rectangle of a picture's shape inside a box: x, y, width, height.
function fitted([x, y, width, height], image, most = Infinity) {
    const scale = Math.min(width / image.naturalWidth, height / image.naturalHeight, most)
    const [w, h] = [image.naturalWidth * scale, image.naturalHeight * scale]
    return [x + (width - w) / 2, y + (height - h) / 2, w, h]
}

// Nodes 2.0: the picture under the pointer, its place on the page, and its node.
function pictureInElement(event, type) {
    const element = event.target instanceof Element ? event.target : null
    const owner = element?.closest("[data-node-id]")
    if (!owner || element.closest("button, input")) return null
    const node = app.canvas.graph?.getNodeById(owner.dataset.nodeId) ?? app.canvas.graph?.getNodeById(Number(owner.dataset.nodeId))
    const image = [...owner.querySelectorAll("img")].find(each => {
        const {left, right, top, bottom} = each.getBoundingClientRect()
        return left <= event.clientX && event.clientX <= right && top <= event.clientY && event.clientY <= bottom
    })
    if (node?.type !== type || !image?.naturalWidth) return null
    const {x, y, width, height} = image.getBoundingClientRect()
    return {node, image, place: fitted([x, y, width, height], image)}
}

// The classic renderer: where the preview widget draws the one picture that is shown.
function pictureOnCanvas(event, type) {
    if (event.target !== app.canvas.canvas || LiteGraph.vueNodesMode) return null
    const [x, y] = app.canvas.convertEventToCanvasOffset(event)
    const node = app.canvas.graph?.getNodeOnPos(x, y, app.canvas.visible_nodes)
    if (node?.type !== type || node.flags?.collapsed || !node.imgs?.length) return null
    const image = node.imgs[node.imageIndex ?? (node.imgs.length === 1 ? 0 : -1)]
    const preview = node.widgets?.find(widget => widget.name?.startsWith("$$canvas-image-preview"))
    if (!image?.naturalWidth || !preview) return null
    const label = app.ui?.settings?.getSettingValue?.("Comfy.Node.AllowImageSizeDraw") === false ? 0 : 15
    const box = [0, preview.y, node.size[0], (preview.computedHeight ?? 0) - label]
    const [left, top, width, height] = fitted(box, image, 1)
    const {x: pageX, y: pageY} = app.canvas.canvas.getBoundingClientRect()
    const {scale, offset} = app.canvas.ds
    const onPage = (value, i) => (value + node.pos[i] + offset[i]) * scale + [pageX, pageY][i]
    return {node, image, place: [onPage(left, 0), onPage(top, 1), width * scale, height * scale]}
}

// {node, image, place on the page: x, y, width, height} of a node of that type; null where there is none.
export const pictureAt = (event, type) => pictureInElement(event, type) ?? pictureOnCanvas(event, type)
