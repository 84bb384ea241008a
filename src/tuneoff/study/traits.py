"""What decides what is done with an arm and what is said of it: what it needs and does, not the name of its family.

               needs_model   uses_weights   trains   tuned
tfidf                                                            baseline
few_shot       yes                                               prompt
linear_probe   yes           yes                                 probe
lora           yes           yes            yes      yes
{adapter = …}  yes           yes                     yes         trained elsewhere
"""

from dataclasses import dataclass

__all__ = ["Traits"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Traits:
    """family: the heading that it stands under. needs_model: it asks a language model. uses_weights: it looks inside
    that model. trains: gradients go through the model here. tuned: they did, here or elsewhere. random: another seed
    gives another result.
    """

    family: str
    needs_model: bool = True
    uses_weights: bool = False
    trains: bool = False
    tuned: bool = False
    random: bool = False

    @property
    def baseline(self) -> bool:
        """What any language model must beat."""
        return not self.needs_model

    @property
    def prompt(self) -> bool:
        """Changes only the text that is sent."""
        return self.needs_model and not self.uses_weights

    @property
    def probe(self) -> bool:
        """A small classifier on what the model holds as it is."""
        return self.uses_weights and not self.tuned
