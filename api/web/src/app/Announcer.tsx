import { announced } from "./announce";
import { useStore } from "./store";

/** The two live regions of the page. */
export function Announcer() {
  const { polite, urgent } = useStore(announced);
  return (
    <div className="aside">
      <div role="status">{polite}</div>
      <div role="alert">{urgent}</div>
    </div>
  );
}
