/** What the gate says of a tag. */

/** It waits. */
export const HELD = 0;
/** It may run. */
export const FREE = 1;
/** Its mark is not one of ours. */
export const FOREIGN = 2;
