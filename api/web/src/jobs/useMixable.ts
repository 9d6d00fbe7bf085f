import { useSession } from "../session/session";
import { useLimits } from "../studio/useStudio";

/** Whether the reader may have this service mix stems. */
export function useMixable(): boolean {
  const { may } = useSession();
  const kinds = useLimits().data?.kinds ?? [];
  return may("submit") && kinds.includes("mix");
}
