"""Hypothesis files: claims, their trees and sites, and how they are collected."""
