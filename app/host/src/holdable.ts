/** What the gate can hold. */

/** Elements that a placeholder can stand for. */
export const EMBEDS = 'iframe,audio,video,object,embed';

/** Elements that can be held. A script of any other type has run. */
export const HOLDABLE = `script[type="text/plain"],img,source,track,link,style,${EMBEDS}`;
