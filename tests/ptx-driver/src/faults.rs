//! Calls of the driver double that fail when they are told to, and a count of what is alive. Both are the calling
//! thread's own, so that tests run side by side.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use crate::Code;

/// What happens to calls. A function goes by our name for it (`graph_launch`), a call by its number, from 1.
#[derive(Clone, Copy, Debug)]
pub enum Plan {
    /// They work.
    None,
    /// The call of this name and number fails, those after it work again.
    Once {
        /// Of the function.
        name: &'static str,
        /// Of the call.
        number: usize,
        /// Its result.
        code: Code,
    },
    /// From the call of this name and number on every call fails, as with a device that fell off the bus.
    FromThenOn {
        /// Of the function.
        name: &'static str,
        /// Of the first call.
        number: usize,
        /// The result of all.
        code: Code,
    },
    /// They say that they work and do nothing, so that nothing but our own code runs.
    Hollow,
}

thread_local! {
    static PLAN: Cell<Plan> = const { Cell::new(Plan::None) };
    static LOST: Cell<Code> = const { Cell::new(0) };
    static CALLS: RefCell<BTreeMap<&'static str, usize>> = const { RefCell::new(BTreeMap::new()) };
    static ALIVE: RefCell<BTreeMap<&'static str, isize>> = const { RefCell::new(BTreeMap::new()) };
    static BROKEN: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
}

/// Starts a plan, with all counts at zero.
pub fn start(plan: Plan) {
    PLAN.set(plan);
    LOST.set(0);
    CALLS.take();
    ALIVE.take();
    BROKEN.take();
}

/// Changes the plan, counts kept.
pub fn set(plan: Plan) {
    PLAN.set(plan);
}

/// How often each function was called.
pub fn calls() -> BTreeMap<&'static str, usize> {
    CALLS.with_borrow(Clone::clone)
}

/// What is alive, by the function that ends it.
pub fn alive() -> BTreeMap<&'static str, isize> {
    ALIVE.with_borrow(|alive| alive.iter().filter(|(_, n)| **n != 0).map(|(k, n)| (*k, *n)).collect())
}

/// Rules of the driver that were broken.
pub fn broken() -> Vec<&'static str> {
    BROKEN.with_borrow(Clone::clone)
}

/// Called by every function first: a result to return at once.
pub fn intercept(name: &'static str) -> Option<Code> {
    if matches!(PLAN.get(), Plan::Hollow) {
        return Some(0);
    }
    let number = CALLS.with_borrow_mut(|calls| {
        let count = calls.entry(name).or_insert(0);
        *count += 1;
        *count
    });
    if LOST.get() != 0 && name != "error_string" {
        return Some(LOST.get());
    }
    match PLAN.get() {
        Plan::Once { name: wanted, number: at, code } if wanted == name && at == number => Some(code),
        Plan::FromThenOn { name: wanted, number: at, code } if wanted == name && at == number => {
            LOST.set(code);
            Some(code)
        }
        _ => None,
    }
}

/// Something was made that `by` ends.
pub fn born(by: &'static str) {
    ALIVE.with_borrow_mut(|alive| *alive.entry(by).or_insert(0) += 1);
}

/// Something was ended.
pub fn died(by: &'static str) {
    ALIVE.with_borrow_mut(|alive| *alive.entry(by).or_insert(0) -= 1);
}

/// Notes a broken rule. A panic here would end the process.
pub fn expect(holds: bool, rule: &'static str) {
    if !holds {
        BROKEN.with_borrow_mut(|broken| broken.push(rule));
    }
}
