"""The public interface of a store: one class per entity."""
