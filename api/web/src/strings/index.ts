import { translator } from "../i18n";
import { de } from "./de";
import { en } from "./en";

/** Words of the page outside the player, which has its own. */
export const t = translator({ en, de });
