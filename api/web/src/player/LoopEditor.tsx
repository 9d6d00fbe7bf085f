import { Repeat } from "lucide-react";
import { useStore } from "../app/store";
import { useParts } from "./context";
import styles from "./LoopEditor.module.css";
import { NumberField } from "./NumberField";
import { t } from "./strings";

/** The loop: on or off, and its ends in seconds. */
export function LoopEditor() {
  const { engine } = useParts();
  const { loop, looping } = useStore(engine.mix);
  const start = loop ? loop.start / engine.rate : 0;
  const end = loop ? loop.end / engine.rate : engine.duration;
  return (
    <div className={styles.loop}>
      <button
        type="button"
        aria-pressed={looping}
        className={styles.toggle}
        onClick={() => (loop ? engine.change({ looping: !looping }) : engine.setLoop(0, engine.duration))}
      >
        <Repeat aria-hidden="true" />
        {t("loop")}
      </button>
      {loop ? (
        <>
          <Seconds
            label={t("loop.start")}
            value={start}
            most={engine.duration}
            onChange={(at) => engine.setLoop(at, end)}
          />
          <span aria-hidden="true">–</span>
          <Seconds
            label={t("loop.end")}
            value={end}
            most={engine.duration}
            onChange={(at) => engine.setLoop(start, at)}
          />
        </>
      ) : null}
    </div>
  );
}

interface SecondsProps {
  label: string;
  value: number;
  most: number;
  onChange: (seconds: number) => void;
}

/** Seconds that hold once they are typed: half a figure moves no loop. */
function Seconds({ most, ...rest }: SecondsProps) {
  return <NumberField {...rest} className={styles.seconds} min={0} max={most} step={0.01} digits={2} />;
}
