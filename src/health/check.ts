import type { Diagnostic, Severity } from "../domain/diagnostic.ts";

/** What a check found, without its name. */
export type Finding = Omit<Diagnostic, "check">;

/** One check, ready to run. */
export interface Check {
  readonly name: string;
  /** How bad it is when the check itself fails or gets no answer in time. */
  readonly atWorst: Severity;
  readonly run: () => Finding | Promise<Finding>;
}

export function fine(message: string): Finding {
  return { severity: "ok", message, remedy: null };
}

export function found(severity: "warn" | "fatal", message: string, remedy: string): Finding {
  return { severity, message, remedy };
}

/**
 * Runs a check and never rejects or hangs: a network share that is gone may keep a call for ever, which must not
 * keep the start.
 */
export async function runCheck(check: Check, limitMs: number): Promise<Diagnostic> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Finding>((resolve) => {
    const message = `no answer within ${limitMs / 1000} s`;
    const remedy = "see whether the disk, network share or server behind it still answers";
    timer = setTimeout(() => resolve({ severity: check.atWorst, message, remedy }), limitMs);
  });
  try {
    return { check: check.name, ...(await Promise.race([Promise.resolve(check.run()), late])) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { check: check.name, severity: check.atWorst, message, remedy: "see the message" };
  } finally {
    clearTimeout(timer);
  }
}
