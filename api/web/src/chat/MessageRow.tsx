import type { Schemas } from "../api";
import { moment } from "../i18n";
import { ProblemPanel } from "../problems/ProblemPanel";
import { wantsToSignIn } from "../session/session";
import styles from "./Chat.module.css";
import { Comparison } from "./Comparison";
import { PlanCard } from "./PlanCard";
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
      {problem ? <Refused problem={problem} {...props} /> : null}
      {shows(message, messages) ? <Version {...props} /> : null}
      {compared.length === 2 ? (
        <Comparison pair={compared} conversation={conversation} open={open} plays={fresh} />
      ) : null}
    </li>
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
