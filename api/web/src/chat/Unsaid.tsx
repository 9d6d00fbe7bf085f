import { ProblemPanel } from "../problems/ProblemPanel";
import { wantsToSignIn } from "../session/session";
import { Button } from "../ui/Button";
import styles from "./Chat.module.css";
import { t } from "./strings";
import type { Act, useAct } from "./useAct";

interface Props {
  /** a message that is not among the others yet */
  unsaid: Extract<Act, { do: "say" }> | null;
  acts: ReturnType<typeof useAct>;
  /** whether the answer's first words are here */
  isWritten: boolean;
  /** puts the text into the field again */
  onBack: (text: string) => void;
}

/** What was said or pressed and is not answered: it waits, or it failed, and then it can be done again. */
export function Unsaid({ unsaid, acts, isWritten, onBack }: Props) {
  const { pending, problem, retryAt } = acts;
  const change = () => onBack(unsaid?.text ?? "");
  return (
    <>
      {unsaid ? (
        <div className={`${styles.message} ${styles.own}`}>
          <span className="aside">{t("you")}: </span>
          <p className={styles.text}>{unsaid.text}</p>
        </div>
      ) : null}
      {pending && !problem && !isWritten ? <p className={styles.soft}>{t("waiting")}</p> : null}
      {problem ? (
        <div className={styles.failed}>
          <ProblemPanel
            code={problem.code}
            detail={problem.detail}
            requestId={problem.requestId}
            retryAt={retryAt}
            actions={{
              ...(pending ? {} : { retry: acts.again }),
              again: acts.again,
              refresh: acts.drop,
              change,
              choose_other: change,
              use_upload: change,
              upload_again: change,
              sign_in: () => wantsToSignIn.set(true),
            }}
          />
          {pending ? null : <Button onClick={change}>{t("unsaid.drop")}</Button>}
        </div>
      ) : null}
    </>
  );
}
