/** Elements that a placeholder can stand for. */
export const EMBEDS = 'iframe,video,audio,object,embed';
