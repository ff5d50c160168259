//! A chain of kernel launches as one CUDA graph.
//!
//! Graphs are built node by node, not captured from a stream: nothing that another thread does at the same time can
//! break a capture, and nothing is recorded that we did not name.

use std::ffi::c_void;
use std::sync::Arc;

use crate::Result;

use super::context::{Gpu, Kernel};
use super::library::{GraphExec, GraphHandle, KernelNode, Node};
use super::memory::Stream;

/// A chain of launches, ready to run.
pub(crate) struct Graph {
    gpu: Arc<Gpu>,
    graph: GraphHandle,
    exec: GraphExec,
    nodes: Vec<Node>,
}

/// One launch of a graph: kernel, blocks, and the bytes of its parameter struct.
#[derive(Clone, Copy)]
pub(crate) struct Step<'a> {
    /// The kernel.
    pub(crate) kernel: &'a Kernel,
    /// Blocks.
    pub(crate) grid: [u32; 3],
    /// Its one parameter.
    pub(crate) parameters: &'a [u8],
}

impl Step<'_> {
    /// Calls `f` with the launch as the driver takes it.
    fn with<T>(&self, f: impl FnOnce(&KernelNode) -> T) -> T {
        assert_eq!(self.parameters.len(), self.kernel.param_bytes, "bytes of the parameter struct");
        let mut parameter: *mut c_void = self.parameters.as_ptr().cast_mut().cast();
        f(&KernelNode {
            function: self.kernel.function,
            grid: self.grid,
            block: [self.kernel.threads, 1, 1],
            shared_bytes: self.kernel.shared_bytes,
            parameters: &raw mut parameter,
            extra: std::ptr::null_mut(),
        })
    }
}

impl Graph {
    /// Chains launches in order.
    pub(crate) fn new(gpu: &Arc<Gpu>, steps: &[Step<'_>]) -> Result<Self> {
        let _current = gpu.enter()?;
        let mut graph =
            Self { gpu: Arc::clone(gpu), graph: GraphHandle::NULL, exec: GraphExec::NULL, nodes: Vec::new() };
        // SAFETY: the pointer is to a live handle.
        gpu.check("create a graph", unsafe { gpu.driver().graph_create(&raw mut graph.graph, 0) })?;
        for step in steps {
            let mut node = Node::NULL;
            let before = graph.nodes.last().map_or(std::ptr::null(), std::ptr::from_ref);
            let number = usize::from(!before.is_null());
            // SAFETY: graph, function and predecessor live; the driver copies the parameters during the call, and
            // their length is the kernel's (asserted in `with`).
            let code = step.with(|kernel| unsafe {
                gpu.driver().graph_kernel(&raw mut node, graph.graph, before, number, kernel)
            });
            gpu.check("add a launch to a graph", code)?;
            graph.nodes.push(node);
        }
        // SAFETY: the graph is complete; the pointer is to a live handle.
        let code = unsafe { gpu.driver().graph_instantiate(&raw mut graph.exec, graph.graph, 0) };
        gpu.check("instantiate a graph", code)?;
        Ok(graph)
    }

    /// Replaces a launch, from the next run on.
    pub(crate) fn update(&mut self, index: usize, step: &Step<'_>) -> Result<()> {
        // SAFETY: the node is this graph's; parameters as in `new`. A run in flight keeps what it was started with.
        let code = step
            .with(|kernel| unsafe { self.gpu.driver().graph_update(self.exec, self.nodes[index], kernel) });
        self.gpu.check("update a launch of a graph", code)
    }

    /// Starts a run in a stream.
    ///
    /// # Safety
    /// Every address in the launches' parameters stays allocated until the stream has been waited for, and no other
    /// run that writes the same memory is in flight.
    pub(crate) unsafe fn launch(&self, stream: &Stream) -> Result<()> {
        // SAFETY: graph and stream live; the caller answers for the memory.
        let code = unsafe { self.gpu.driver().graph_launch(self.exec, stream.handle) };
        self.gpu.check("start a graph", code)
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        if let Ok(_current) = self.gpu.enter() {
            // SAFETY: both were created once (or are null after a failure), and are destroyed once. A run in flight
            // keeps what it needs.
            unsafe {
                if self.exec != GraphExec::NULL {
                    self.gpu.driver().graph_exec_destroy(self.exec);
                }
                if self.graph != GraphHandle::NULL {
                    self.gpu.driver().graph_destroy(self.graph);
                }
            }
        }
    }
}
