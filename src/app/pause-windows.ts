/** Minutes of the day, local time: from the first to the second, over midnight where that is the smaller. */
export interface PauseWindow {
  readonly fromMinute: number;
  readonly toMinute: number;
}

/** Reads `01:00-05:00`, as the configuration has checked it. */
export function parseWindow(text: string): PauseWindow {
  const [fromMinute = 0, toMinute = 0] = text.split("-").map((time) => {
    const [hours = 0, minutes = 0] = time.split(":").map(Number);
    return hours * 60 + minutes;
  });
  return { fromMinute, toMinute };
}

/** Whether that moment lies in one of the windows; one that ends where it begins is the whole day. */
export function isInWindow(windows: readonly PauseWindow[], at: Date): boolean {
  const minute = at.getHours() * 60 + at.getMinutes();
  return windows.some(({ fromMinute, toMinute }) =>
    fromMinute < toMinute
      ? minute >= fromMinute && minute < toMinute
      : minute >= fromMinute || minute < toMinute,
  );
}
