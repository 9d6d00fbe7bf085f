import { Component, type ReactNode } from "react";
import { ProblemPanel } from "./ProblemPanel";

/** Keeps a fault of one part from taking the rest off the page. */
export class Boundary extends Component<{ children: ReactNode }, { error: Error | null }> {
  override state: { error: Error | null } = { error: null };

  static getDerivedStateFromError(error: Error) {
    return { error };
  }

  override render() {
    const { error } = this.state;
    return error ? <ProblemPanel code="page_error" detail={error.message} /> : this.props.children;
  }
}
