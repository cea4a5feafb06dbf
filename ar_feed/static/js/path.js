// @ts-check
// Where a task stands and where an answer leads; used while the server cannot be asked. Pure.

export const END = "end";

/** Id of the step to do now: the first without an answer along the path, or "end". */
export function currentStep(task) {
  let at = task.steps.length ? task.steps[0].id : END;
  for (let n = 0; n <= task.steps.length && at !== END; n += 1) {
    const step = stepOf(task, at);
    if (!step || !step.done) return at;
    at = step.next ?? afterInOrder(task, at);
  }
  return at;
}

export function stepOf(task, id) {
  return task.steps.find((step) => step.id === id) ?? null;
}

/** Id of the step before, along the path that was gone; null at the first. */
export function stepBefore(task, id) {
  let at = task.steps.length ? task.steps[0].id : END;
  let before = null;
  for (let n = 0; n <= task.steps.length && at !== END && at !== id; n += 1) {
    before = at;
    at = stepOf(task, at)?.next ?? afterInOrder(task, at);
  }
  return before;
}

function afterInOrder(task, id) {
  const at = task.steps.findIndex((step) => step.id === id);
  return task.steps[at + 1]?.id ?? END;
}

/** Where an answer leads, by the step's own rules. */
export function following(task, step, answer) {
  const wanted = step.in ?? {};
  let to = null;
  if (step.k === "choice") to = step.opt?.find((option) => option.k === answer.opt)?.go;
  if (step.k === "measure" && wanted.hi !== undefined && answer.value > wanted.hi) to = wanted.on_hi;
  if (step.k === "measure" && wanted.lo !== undefined && answer.value < wanted.lo) to = wanted.on_lo;
  to = to ?? step.next;
  return to === END || stepOf(task, to) ? to : afterInOrder(task, step.id);
}
