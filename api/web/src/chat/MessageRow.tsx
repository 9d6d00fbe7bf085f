import type { Schemas } from "../api";
import { useStore } from "../app/store";
import { moment } from "../i18n";
import { catalog, said } from "../problems/known";
import { ProblemPanel } from "../problems/ProblemPanel";
import { wantsToSignIn } from "../session/session";
import styles from "./Chat.module.css";
import { Comparison } from "./Comparison";
import { money } from "./money";
import { PlanCard } from "./PlanCard";
import { modelOf } from "./reply";
import { t } from "./strings";
import type { useAct } from "./useAct";
import type { Conversation, Message } from "./useTalk";
import { Version } from "./Version";

export interface RowProps {
  message: Message;
  messages: readonly Message[];
  conversation: Conversation | undefined;
  /** whether its player is open from the start */
  open: boolean;
  /** whether it came while the reader was here: then what it asks the page to do is done */
  fresh: boolean;
  acts: ReturnType<typeof useAct>;
  onSay: (text: string) => void;
  onBack: (text: string) => void;
}

/** A message with what belongs to it: a plan, a version, two versions to compare, or why it can't be done. */
export function MessageRow(props: RowProps) {
  const { message, messages, conversation, open, fresh } = props;
  const { role, kind, text, created_at: at, compared, problem } = message;
  return (
    <li className={`${styles.message} ${role === "user" ? styles.own : styles.reply}`}>
      <span className="aside">{role === "user" ? t("you") : t("house")}: </span>
      <p className={styles.text}>{text}</p>
      <time className="aside" dateTime={at}>
        {moment(at)}
      </time>
      {kind === "plan" && message.forecast ? <PlanCard {...props} forecast={message.forecast} /> : null}
      <Answered message={message} />
      {problem ? <Refused problem={problem} {...props} /> : null}
      {shows(message, messages) ? <Version {...props} /> : null}
      {compared.length === 2 ? (
        <Comparison pair={compared} conversation={conversation} open={open} plays={fresh} />
      ) : null}
    </li>
  );
}

/** Who answered, where that was no rule, and why not who was to. */
function Answered({ message }: { message: Message }) {
  const { writing, cost, notice } = message;
  const model = modelOf(message);
  useStore(catalog); // the words may come after the message
  return (
    <>
      {writing ? <p className={styles.soft}>{t("writing")}</p> : null}
      {model ? (
        <p className={styles.soft}>
          {cost ? t("by.model.cost", { model, cost: money(cost, "USD") }) : t("by.model", { model })}
        </p>
      ) : null}
      {notice ? <p className={styles.soft}>{said(notice.code) ?? notice.detail}</p> : null}
    </>
  );
}

/** Whether a message has its version's card: not a plan whose confirmation, below it, has the same one. */
function shows(message: Message, messages: readonly Message[]): boolean {
  const { workflow_id: id, kind, number } = message;
  if (!id) return false;
  const confirms = (one: Message) =>
    one.number > number && one.kind !== "plan" && one.workflow_id === id && one.actions.includes("context.confirm");
  return kind !== "plan" || !messages.some(confirms);
}

function Refused({ problem, message, messages, onBack, onSay }: RowProps & { problem: Schemas["MessageProblem"] }) {
  const asked = messages.find((one) => one.number === message.number - 1)?.text ?? "";
  const again = () => onSay(asked);
  const change = () => onBack(asked);
  return (
    <ProblemPanel
      code={problem.code}
      detail={problem.detail}
      actions={{
        retry: again,
        again,
        refresh: again,
        change,
        choose_other: change,
        use_upload: change,
        upload_again: change,
        sign_in: () => wantsToSignIn.set(true),
      }}
    />
  );
}
