export const widgets = ['round', 'square'];
