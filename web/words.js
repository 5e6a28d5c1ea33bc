// The words of the pack's front-end extensions in the reader's language. They stand in locales/*/main.json, which the host
// serves with all translations; a host that serves none shows ids alone.
import { api } from "../../scripts/api.js"
import { app } from "../../scripts/app.js"

const ENGLISH = "en"
let served = {}

export const wordsReady = (async () => {
    try {
        served = await (await api.fetchApi("/i18n")).json()
    } catch (error) {
        console.warn("Face Part Fusion: the host serves no translations.", error)
    }
})()

// The text at a path of keys below `facePartFusion`, in the front end's language or else in English; undefined without one.
export function word(...path) {
    const language = String(app.ui?.settings?.getSettingValue?.("Comfy.Locale") ?? ENGLISH).slice(0, 2)
    const find = texts => path.reduce((inner, key) => inner?.[key], texts?.facePartFusion)
    return find(served[language]) ?? find(served[ENGLISH])
}
