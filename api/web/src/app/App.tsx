import { QueryClientProvider } from "@tanstack/react-query";
import { lazy, Suspense, useEffect } from "react";
import { Route, Switch } from "wouter";
import { follow } from "../events/follow";
import { JobPage } from "../jobs/JobPage";
import { Jobs } from "../jobs/Jobs";
import { QueryProblem } from "../problems/QueryProblem";
import { SignIn } from "../session/SignIn";
import { useSession } from "../session/session";
import { Studio } from "../studio/Studio";
import { Missing } from "./Missing";
import { preferences } from "./preferences";
import { queries } from "./queries";
import { Shell } from "./Shell";
import { useStore } from "./store";

const Ops = lazy(() => import("../ops/Ops").then((part) => ({ default: part.Ops })));
const Recipes = lazy(() => import("../recipes/Recipes"));
const WorkflowPage = lazy(() => import("../workflows/WorkflowPage"));
const Settings = lazy(() => import("../settings/Settings").then((part) => ({ default: part.Settings })));
const Shared = lazy(() => import("../share/Shared").then((part) => ({ default: part.Shared })));

/** The page in the language that holds. A shared job's page needs no session, the rest does. */
export function App() {
  const { language } = useStore(preferences);
  return (
    <QueryClientProvider client={queries}>
      <Suspense fallback={null}>
        <Switch key={language}>
          <Route path="/s/:token">{({ token }) => <Shared token={token} />}</Route>
          <Route>
            <Inside />
          </Route>
        </Switch>
      </Suspense>
    </QueryClientProvider>
  );
}

/** All that belongs to somebody: behind the form to sign in, where one is needed. */
function Inside() {
  const { query, session, locked, admin, may } = useSession();
  const known = session !== undefined && !locked;
  useEffect(() => (known ? follow(queries, admin) : undefined), [known, admin]);
  if (!session) {
    // it is asked for until somebody answers: meanwhile the last failure says why nothing is here
    const failure = query.error ?? query.failureReason;
    return <Shell>{failure ? <QueryProblem error={failure} onRetry={() => void query.refetch()} /> : null}</Shell>;
  }
  return (
    <Shell talks={!locked && may("submit")}>
      {locked ? (
        <SignIn />
      ) : (
        <Suspense fallback={null}>
          <Switch>
            <Route path="/">
              <Studio />
            </Route>
            <Route path="/app/jobs">
              <Jobs />
            </Route>
            <Route path="/app/jobs/:id">{({ id }) => <JobPage key={id} id={id} />}</Route>
            <Route path="/app/recipes">
              <Recipes />
            </Route>
            <Route path="/app/workflows/:id">{({ id }) => <WorkflowPage key={id} id={id} />}</Route>
            <Route path="/app/ops">{admin ? <Ops /> : <Missing />}</Route>
            <Route path="/app/settings">
              <Settings />
            </Route>
            <Route>
              <Missing />
            </Route>
          </Switch>
        </Suspense>
      )}
    </Shell>
  );
}
