import { Problem } from "../api";
import { ProblemPanel } from "./ProblemPanel";

interface Props {
  error: unknown;
  onRetry: () => void;
}

/** A request that failed, where its answer would have stood. */
export function QueryProblem({ error, onRetry }: Props) {
  const problem = error instanceof Problem ? error : new Problem("page_error", String(error));
  return (
    <ProblemPanel
      code={problem.code}
      detail={problem.detail}
      requestId={problem.requestId}
      actions={{ retry: onRetry, refresh: onRetry }}
    />
  );
}
