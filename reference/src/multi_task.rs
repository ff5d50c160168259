//! Backbone and towers: which network reads what.

use crate::mask_net::mask_net;
use crate::mlp::{Mlp, Role, mlp};
use crate::spec::{Net, Sharing, Spec};
use crate::{Error, Matrix, Precision, Tensors};

/// Output of a backbone.
#[derive(Clone, Debug)]
pub struct Backbone {
    /// (rows, width), rounded as it is stored.
    pub y: Matrix,
    /// Outputs of its mask blocks, (rows, output_size); empty for an MLP.
    pub mask_blocks: Vec<Matrix>,
}

/// Runs the backbone, tensors under `_backbone`, on the input rows; `None` under [`Sharing::ShareNone`].
///
/// Shapes: `x` (rows, input_dim).
///
/// # Errors
/// [`Error::Spec`] when the sharing needs a backbone and there is none; otherwise as the networks.
pub fn backbone(
    tensors: &dyn Tensors,
    spec: &Spec,
    x: &Matrix,
    precision: Precision,
) -> Result<Option<Backbone>, Error> {
    if spec.sharing == Sharing::ShareNone {
        return Ok(None);
    }
    let Some(net) = &spec.backbone else {
        return Err(Error::Spec(format!("{:?} needs a backbone", spec.sharing)));
    };
    let (y, mask_blocks) = run(tensors, "_backbone", net, x, precision, Role::Backbone)?;
    Ok(Some(Backbone { y: y.rounded(precision), mask_blocks }))
}

/// What the towers read: `y` for share_all, `concat(x, y)` for share_partial, `x` for share_none, where `y` is the
/// backbone's output.
///
/// Shapes: `x` (rows, input_dim), `y` (rows, backbone width).
///
/// ```
/// use maskrank_reference::{Matrix, multi_task::tower_input, spec::Sharing};
/// let x = Matrix::new(2, 1, vec![1.0, 2.0]);
/// let y = Matrix::new(2, 2, vec![3.0, 4.0, 5.0, 6.0]);
/// assert_eq!(tower_input(Sharing::ShareAll, &x, Some(&y)), y);
/// assert_eq!(tower_input(Sharing::SharePartial, &x, Some(&y)).values(), [1.0, 3.0, 4.0, 2.0, 5.0, 6.0]);
/// assert_eq!(tower_input(Sharing::ShareNone, &x, None), x);
/// ```
///
/// # Panics
/// When the sharing needs a backbone and there is none.
pub fn tower_input(sharing: Sharing, x: &Matrix, y: Option<&Matrix>) -> Matrix {
    match sharing {
        Sharing::ShareNone => x.clone(),
        Sharing::ShareAll => y.expect("share_all has a backbone").clone(),
        Sharing::SharePartial => Matrix::concat(x.rows(), &[x, y.expect("share_partial has a backbone")]),
    }
}

/// Runs every task's tower, tensors under `_towers.TASK`: the raw logits (rows, tasks), never rounded, before any
/// affine map.
///
/// Shapes: `input` (rows, tower input width).
///
/// # Errors
/// [`Error::Spec`] when a tower's last width is not 1; otherwise as the networks.
pub fn towers(
    tensors: &dyn Tensors,
    spec: &Spec,
    input: &Matrix,
    precision: Precision,
) -> Result<Matrix, Error> {
    let mut logits = Vec::with_capacity(spec.tasks.len()); // one (rows, 1) for each task
    for task in &spec.tasks {
        let prefix = format!("_towers.{}", tensor_name(&task.name));
        let (y, _) = run(tensors, &prefix, &task.net, input, precision, Role::Tower)?;
        if y.width() != 1 {
            return Err(Error::Spec(format!(
                "tower \"{}\" is {} wide at its end, expected 1",
                task.name,
                y.width()
            )));
        }
        logits.push(y);
    }
    Ok(Matrix::concat(input.rows(), &logits.iter().collect::<Vec<_>>()))
}

/// A task's name inside tensor names: dots become double underscores.
///
/// ```
/// assert_eq!(maskrank_reference::multi_task::tensor_name("recap.is_liked"), "recap__is_liked");
/// ```
pub fn tensor_name(task: &str) -> String {
    task.replace('.', "__")
}

/// Runs an MLP or a MaskNet: the output, not yet rounded, and the outputs of its mask blocks.
fn run(
    tensors: &dyn Tensors,
    prefix: &str,
    net: &Net,
    x: &Matrix,
    precision: Precision,
    role: Role,
) -> Result<(Matrix, Vec<Matrix>), Error> {
    match net {
        Net::MaskNet(net) => {
            mask_net(tensors, prefix, net, x, precision, role).map(|out| (out.y, out.blocks))
        }
        Net::Mlp(net) => {
            let weights = Mlp::load(tensors, prefix, net, x.width(), precision, role)?;
            let width = net.layer_sizes.last().copied().unwrap_or(0);
            Ok((Matrix::new(x.rows(), width, mlp(x.values(), &weights, precision)), Vec::new()))
        }
    }
}
